// libcurl with typed wrappers: curl_easy_setopt and curl_easy_getinfo are variadic and do not import into Swift.
#pragma once
#include <curl/curl.h>
