// libpq, and the Linux calls that its one user needs and that Swift's Glibc module does not carry.
#pragma once
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// pthread_setname_np is hidden behind _GNU_SOURCE, which a module map cannot switch on for Glibc's own module.
int pthread_setname_np(pthread_t thread, const char *name);

static inline void switchboard_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
