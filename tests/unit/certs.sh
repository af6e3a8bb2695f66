#!/bin/sh
# certs.sh DIR [certs]: a CA and the good, bad and old certificates of
# "localhost"; and, unless only these are wanted, files to serve.
set -e
cd "$1"
key="ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

# leaf NAME SUBJECT-ALT-NAME DAYS
leaf() {
	openssl req -newkey $key -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
	echo "subjectAltName=$2" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key \
		-CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.crt"
}

{
	openssl req -x509 -newkey $key -keyout ca.key -out ca.crt \
		-subj "/CN=test CA" -days 2
	leaf good DNS:localhost,IP:127.0.0.1 2
	leaf other DNS:other.example 2
	leaf old DNS:localhost -1
	openssl req -x509 -newkey $key -keyout self.key -out self.crt \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost \
		-days 2
} 2>/dev/null
[ "${2-}" != certs ] || exit 0
mkdir www
echo hello >www/small
head -c 8000000 /dev/zero >www/big
head -c 40000000 /dev/zero >www/huge
