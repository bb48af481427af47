#pragma once

/// Read by jemalloc before main (jemalloc(3), "TUNING").
extern const char *malloc_conf;
