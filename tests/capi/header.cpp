// octavo.h must compile as C++, too, and link with C names.
#include <octavo.h>

extern const char* (*const octavo_header_links_from_cxx)(void);
const char* (*const octavo_header_links_from_cxx)(void) = octavo_version;
