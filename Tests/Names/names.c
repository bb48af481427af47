// Names for tests, by LD_PRELOAD: <hex>.names.test resolves to the IPv4 (8 digits) or IPv6 (32 digits) address that it spells, and
// <hex>-<hex>.names.test to one after the other, look-up by look-up, as the DNS of an attacker would have it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char suffix[] = ".names.test";
static atomic_uint lookups[251];

// How often the name was asked for before; names that share a count are no harm to a test.
static unsigned count(const char *name) {
    unsigned hash = 5381;
    for (; *name; name++) hash = hash * 33 + (unsigned char)*name;
    return atomic_fetch_add(&lookups[hash % 251], 1);
}

// Writes the address of digits as text. Answers 0 where they spell none.
static int spell(const char *digits, size_t length, char *text) {
    unsigned char bytes[16];
    if (length != 8 && length != 32) return 0;
    for (size_t i = 0; i < length / 2; i++)
        if (sscanf(digits + 2 * i, "%2hhx", &bytes[i]) != 1) return 0;
    return inet_ntop(length == 8 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN) != NULL;
}

static int address(const char *name, char *text) {
    size_t length = strlen(name), tail = sizeof suffix - 1;
    if (length <= tail || strcmp(name + length - tail, suffix) != 0) return 0;
    const char *end = name + length - tail, *second = memchr(name, '-', (size_t)(end - name));
    if (second == NULL) return spell(name, (size_t)(end - name), text);
    return count(name) % 2 == 0 ? spell(name, (size_t)(second - name), text) : spell(second + 1, (size_t)(end - second - 1), text);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    char text[INET6_ADDRSTRLEN];
    return next(node != NULL && address(node, text) ? text : node, service, hints, result);
}
