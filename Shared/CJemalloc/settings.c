#include "settings.h"

// Two heaps for all threads, and what they free goes back to the system within a second: memory stays near what is in use.
const char *malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";
