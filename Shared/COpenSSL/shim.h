// OpenSSL 3's EVP interface.
#pragma once
#ifdef __linux__
// mallopt, for the large blocks that scrypt takes.
#include <malloc.h>
#endif
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
