# A throwaway authority and a certificate for 127.0.0.1, for tools that speak to nobody without TLS.
# Sourced after scene.bash; sets nothing, writes $scratch/ca.pem, server.pem and server.key.
make_certificates() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$scratch/ca.key"
    openssl req -x509 -new -key "$scratch/ca.key" -subj '/CN=check' -days 2 -out "$scratch/ca.pem"
    openssl ecparam -name prime256v1 -genkey -noout -out "$scratch/server.key"
    openssl req -new -key "$scratch/server.key" -subj '/CN=127.0.0.1' -out "$scratch/server.csr"
    printf 'subjectAltName=IP:127.0.0.1\n' >"$scratch/server.ext"
    openssl x509 -req -in "$scratch/server.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial \
        -days 2 -extfile "$scratch/server.ext" -out "$scratch/server.pem"
}
command -v openssl >"$scratch/found" || absent 'openssl is not installed'
make_certificates >"$scratch/openssl.log" 2>&1 || { cat "$scratch/openssl.log" >&2 && exit 1; }
