#!/bin/sh
# check-layers.sh [ROOT]: every #include "..." of libcore and cmd must follow the layer order.
#
#     base <- codec, event <- net <- proto, app        compat/hv may include every layer
#
# codec and event never include each other, nor do proto and app. Inside libcore a file is named
# relative to the one that includes it; a command names libcore's public headers by layer
# ("event/hloop.h"), its own folder by file name, and no other command.
set -eu
cd "${1:-$(dirname "$0")/..}"

files=$(find . -path './libcore/*.[ch]' -o -path './cmd/*.[ch]' | sed 's|^\./||' | sort)
[ -n "$files" ] || exit 0

# shellcheck disable=SC2086 # the names hold no spaces
awk '
BEGIN {
    allowed["base"] = " base "
    allowed["codec"] = " base codec "
    allowed["event"] = " base event "
    allowed["net"] = " base codec event net "
    allowed["proto"] = " base codec event net proto "
    allowed["app"] = " base codec event net app "
    allowed["compat"] = " base codec event net proto app compat "
}

function fault(text) {
    printf "%s:%d: %s: #include \"%s\"\n", FILENAME, FNR, text, name
    faults++
}

# "libcore/net/../base/x.h" -> "libcore/base/x.h"
function normal(path,    n, i, k, part, out, result) {
    n = split(path, part, "/")
    k = 0
    for (i = 1; i <= n; i++) {
        if (part[i] == "..")
            k--
        else if (part[i] != "." && part[i] != "")
            out[++k] = part[i]
    }
    result = out[1]
    for (i = 2; i <= k; i++)
        result = result "/" out[i]
    return result
}

function exists(path,    line, found) {
    found = (getline line < path) >= 0
    close(path)
    return found
}

function check_library(    layer, path, target) {
    split(FILENAME, at, "/")
    layer = at[2]
    path = normal(folder "/" name)
    # The compat headers are also read from include/hv, where the layers lie beside them.
    if (!exists(path) && layer == "compat")
        path = "libcore/" name
    if (!exists(path))
        return fault("not relative to the including file")
    split(path, to, "/")
    target = to[2]
    if (to[1] != "libcore" || !index(allowed[layer], " " target " "))
        return fault(layer " must not include " to[1] "/" target)
    if (path ~ /_int\.h$/ && target != layer)
        fault("an internal header of another layer")
}

function check_command(    path) {
    if (name ~ /^(base|codec|event|net|proto|app)\//) {
        if (name ~ /_int\.h$/)
            fault("a command uses public headers only")
        else if (!exists("libcore/" name))
            fault("no such header")
        return
    }
    path = normal(folder "/" name)
    if (folder == "cmd" || index(path, folder "/") != 1)
        fault("a command includes the library and its own folder only")
    else if (!exists(path))
        fault("no such header")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    name = $0
    sub(/^[^"]*"/, "", name)
    sub(/".*$/, "", name)
    folder = FILENAME
    sub(/\/[^\/]*$/, "", folder)
    if (FILENAME ~ /^libcore\//)
        check_library()
    else
        check_command()
}

END { exit faults > 0 }
' $files
