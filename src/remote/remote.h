/* Remotes: AWS accounts, or other weirs, that weir calls with a key of theirs. */
#ifndef WEIR_REMOTE_REMOTE_H
#define WEIR_REMOTE_REMOTE_H

#include "base/str.h"

/* What calls to a remote are signed with. Strings are the configuration's; none is printed. */
struct weir_remote {
    struct weir_str name;
    struct weir_str region;
    struct weir_str access_key_id;
    struct weir_str secret_access_key; /* at most 255 bytes */
    struct weir_str session_token;     /* empty: none */
};

#endif
