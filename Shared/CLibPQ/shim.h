// libpq, and the Linux calls that its one user needs and that Swift's Glibc module does not carry.
#pragma once
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// Hidden behind _GNU_SOURCE, which would give this module other definitions of shared types than Swift's Glibc module has.
int pthread_setname_np(pthread_t thread, const char *name);

static inline void switchboard_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// Process-wide signals go to the threads that handle them, never to one that is inside libpq. Faults still end the process.
static inline void switchboard_block_signals(void) {
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, SIGSEGV);
    sigdelset(&set, SIGBUS);
    sigdelset(&set, SIGFPE);
    sigdelset(&set, SIGILL);
    sigdelset(&set, SIGTRAP);
    sigdelset(&set, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static inline int switchboard_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

static inline int switchboard_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

// Registers (add != 0) or changes what is watched on a descriptor; the tag comes back in the event.
static inline int switchboard_epoll_watch(int epoll, int fd, uint32_t tag, int add, int output) {
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.u32 = tag};
    return epoll_ctl(epoll, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

static inline int switchboard_epoll_forget(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

// Fills `tags` with those that are ready; -1 with errno on failure.
static inline int switchboard_epoll_wait(int epoll, uint32_t *tags, int capacity, int milliseconds) {
    struct epoll_event events[16];
    int count = epoll_wait(epoll, events, capacity < 16 ? capacity : 16, milliseconds);
    for (int i = 0; i < count; i++) tags[i] = events[i].data.u32;
    return count;
}
