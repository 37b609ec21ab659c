#!/usr/bin/env bash
# Fetches the sounds of 60 Debian packages into a folder: fetch.sh FOLDER
#
# packages.txt, beside this script, names each package, its version and the SHA-256 of its .deb.
# Needs apt-get (after an update), dpkg-deb, unzip and about 5 GB free for the downloads.
# A file keeps its path in the package, without the leading ./usr/share:
#   FOLDER/sonic-pi-samples/sonic-pi/samples/bd_808.flac
# A game archive (.pk3, .wz) becomes a folder of the same name.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: fetch.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the one .deb of a package.
deb() { local f=("$work/debs/$1"_*.deb); printf '%s\n' "${f[0]}"; }

unpack() {
    local name=$1 tree=$work/tree/$1 archive pulled
    mkdir -p "$tree"
    # Unpacks the sounds and game archives only; tar fails if one of the patterns matches nothing.
    dpkg-deb --fsys-tarfile "$(deb "$name")" | tar -x -C "$tree" --wildcards --no-anchored \
        '*.wav' '*.ogg' '*.oga' '*.flac' '*.mp3' '*.opus' '*.pk3' '*.wz' 2>/dev/null || true
    find "$tree" -type f \( -name '*.pk3' -o -name '*.wz' \) | while IFS= read -r archive; do
        pulled=$archive.part
        # unzip says 11 if one of the patterns matches nothing.
        unzip -qo "$archive" '*.wav' '*.ogg' '*.flac' '*.mp3' '*.opus' -d "$pulled" 2>/dev/null \
            || [ $? -eq 11 ]
        rm "$archive"
        if [ -d "$pulled" ]; then mv "$pulled" "$archive"; fi
    done
    # Links would list a sound twice. Long music would be most of the hours.
    find "$tree" -type l -delete
    find "$tree" -type d \( -name music -o -name Music \) ! -path '*/hobbies/*' -prune -exec rm -r {} +
    case $name in
    # These two speak each word in up to 40 languages. English stays.
    tuxpaint-*)
        find "$tree" -type f -name '*_desc_*' -delete
        find "$tree" -type d -path '*/stamps/symbols' -prune -exec rm -r {} +
        ;;
    ktuberling-*) find "$tree" -type f -path '*/sounds/*' ! -path '*/sounds/en/*' -delete ;;
    esac
    find "$tree" -type f -empty -delete
    rm -rf "${out:?}/$name"
    mv "$tree/usr/share" "$out/$name"
    find "$out/$name" -type d -empty -delete
    rm -rf "$tree"
}

mkdir "$work/debs" "$work/tree"
chmod 755 "$work" "$work/debs"
cd "$work/debs"
sed 's/^\([^ ]*\) \([^ ]*\) .*/\1=\2/' "$here/packages.txt" | xargs apt-get download -qq
while read -r name _ sum; do printf '%s  %s\n' "$sum" "$(deb "$name")"; done <"$here/packages.txt" \
    | sha256sum --check --quiet

export -f deb unpack
export work out
cut -d ' ' -f 1 "$here/packages.txt" | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'unpack {}'
echo "$(find "$out" -type f | wc -l) sounds in $out"
