# The files that the structure tests look at. Sourced, with the source tree as the working folder.

# Tracked files and new ones that git does not ignore; without git (an unpacked archive) everything but build folders.
list_files() {
    if git -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git -c safe.directory='*' ls-files --cached --others --exclude-standard | sort -u
    else
        find . -type f ! -path './.git/*' ! -path './build*' | sed 's|^\./||' | sort
    fi | while IFS= read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done
}

list_sources() { list_files | grep -E '\.(c|h|cc|cpp|hpp|cu|cuh|def)$'; }

# Ends a test: what was found is in the file $1, one finding a line.
report_findings() { # findings rule
    if [ -s "$1" ]; then
        cat "$1"
        echo "$(wc -l <"$1") finding(s) against: $2"
        return 1
    fi
    echo "ok: $2"
}

# C and C++ sources with comments and the insides of string literals blanked, line numbers kept: "file:line:code".
strip_comments() {
    awk '
    FNR == 1 { in_comment = 0 }
    {
        line = $0; out = ""; i = 1; n = length(line)
        while (i <= n) {
            two = substr(line, i, 2); one = substr(line, i, 1)
            if (in_comment) {
                if (two == "*/") { in_comment = 0; i += 2 } else { i++ }
            } else if (two == "/*") { in_comment = 1; out = out " "; i += 2 }
            else if (two == "//") { break }
            else if (one == "\"" && line !~ /^[ \t]*#[ \t]*include/) {
                out = out "\""; i++
                while (i <= n && substr(line, i, 1) != "\"") { i += (substr(line, i, 1) == "\\") ? 2 : 1 }
                out = out "\""; i++
            } else if (one == "\047") {
                out = out "0"; i++
                while (i <= n && substr(line, i, 1) != "\047") { i += (substr(line, i, 1) == "\\") ? 2 : 1 }
                i++
            } else { out = out one; i++ }
        }
        print FILENAME ":" FNR ":" out
    }' "$@"
}
