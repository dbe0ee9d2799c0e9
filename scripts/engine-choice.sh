# Sourced: where V8's static library can come from, and the choice of the engine by
# it. The library is some 100 MB, which the crate `v8` downloads. Not every network
# lets it: `auto` then builds QuickJS, which needs only a C compiler.
#
# RUSTY_V8_SHA256=HEX is what the library must be, whether a file or a download. A
# file is also checked against a SHA256SUMS beside it that names it.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

v8_release=https://github.com/denoland/rusty_v8/releases/download

# The file that the crate `v8` asks for, as its build script names it.
v8_url() {
  printf '%s/v%s/librusty_v8_simdutf_release_%s.a.gz\n' \
    "${RUSTY_V8_MIRROR:-$v8_release}" "$(locked v8)" "$(host_triple)"
}

# Where the crate looks before it downloads.
v8_download_cache() {
  printf '%s/.rusty_v8/%s\n' "$cargo_home" "$(v8_url | tr -c '[:alnum:]\n' _)"
}

reachable() {
  if have curl; then
    curl --silent --head --location --fail --output /dev/null \
      --connect-timeout 5 --max-time 15 "$1"
  elif have wget; then
    wget --quiet --spider --tries=1 --timeout=10 "$1"
  else
    return 1
  fi
}

# check_archive FILE - fails where the file is not what its checksums say. Adds to
# `source` what it was checked by.
check_archive() {
  local archive=$1 sums found wanted
  found=$(sha256sum <"$archive")
  found=${found%% *}
  sums=$(dirname "$archive")/SHA256SUMS
  wanted=$(awk -v name="${archive##*/}" 'substr($0, 67) == name { print $1; exit }' "$sums" 2>/dev/null || :)
  if [ -n "${RUSTY_V8_SHA256:-}" ]; then
    same_sum "$archive" "$found" "$RUSTY_V8_SHA256" RUSTY_V8_SHA256
    source+=", checked by RUSTY_V8_SHA256"
  fi
  if [ -n "$wanted" ]; then
    same_sum "$archive" "$found" "$wanted" "$sums"
    source+=", checked by $sums"
  fi
  if [ -z "${RUSTY_V8_SHA256:-}$wanted" ]; then source+=", unchecked"; fi
}

same_sum() {
  [ "$2" = "${3,,}" ] || fail "$1 is not the library that $4 describes" \
    "its SHA-256 is $2, and ${3,,} is wanted" \
    "bring the file again from where you have it; if you mean this one, correct $4"
}

# use_archive FILE - checks it and has the crate take it.
use_archive() {
  RUSTY_V8_ARCHIVE=$(realpath "$1")
  export RUSTY_V8_ARCHIVE
  check_archive "$RUSTY_V8_ARCHIVE"
}

# download_v8 URL - the crate checks nothing that it downloads, so where there is a
# checksum this brings the file.
download_v8() {
  local file=$cache_dir/v8/${1##*/}
  mkdir -p "$cache_dir/v8"
  if [ ! -f "$file" ] || [ "$(sha256sum <"$file")" != "${RUSTY_V8_SHA256,,}  -" ]; then
    step "downloading $1"
    need ca-certificates curl:curl
    curl --fail --location --silent --show-error --output "$file.part" "$1" ||
      fail "$1 could not be downloaded"
    mv "$file.part" "$file"
  fi
  use_archive "$file"
}

# Sets `source` to where V8's library comes from, or fails with `source` saying
# why there is none.
find_v8() {
  local url kept
  if [ -n "${RUSTY_V8_ARCHIVE:-}" ]; then
    source="RUSTY_V8_ARCHIVE ($RUSTY_V8_ARCHIVE)"
    case $RUSTY_V8_ARCHIVE in
    http://* | https://*)
      if reachable "$RUSTY_V8_ARCHIVE"; then
        [ -z "${RUSTY_V8_SHA256:-}" ] || download_v8 "$RUSTY_V8_ARCHIVE"
        return
      fi
      ;;
    *)
      if [ -f "$RUSTY_V8_ARCHIVE" ]; then
        use_archive "$RUSTY_V8_ARCHIVE"
        return
      fi
      ;;
    esac
    fail "there is no $source"
  fi
  case ${V8_FROM_SOURCE:-} in
  "" | 0 | false) ;;
  *)
    [ -z "${RUSTY_V8_SHA256:-}" ] || fail "RUSTY_V8_SHA256 says nothing of what V8_FROM_SOURCE builds" "set one of them"
    source="the crate's own build from source (V8_FROM_SOURCE)"
    return
    ;;
  esac
  url=$(v8_url)
  kept=$target_dir/release/gn_out/obj/librusty_v8
  if [ -z "${RUSTY_V8_SHA256:-}" ] && [ -f "$kept.a" ] && [ "$(cat "$kept.sum" 2>/dev/null || echo none)" = "$url" ]; then
    source="an earlier download ($kept.a)"
  elif [ -f "$(v8_download_cache)" ]; then
    source="an earlier download or \`make v8\` ($(v8_download_cache))"
    # The crate takes it by itself, but not where it has kept an earlier one.
    if [ -n "${RUSTY_V8_SHA256:-}" ]; then use_archive "$(v8_download_cache)"; else check_archive "$(v8_download_cache)"; fi
  elif [ -n "${RUSTY_V8_MIRROR:-}" ] && [ -f "$url" ]; then
    source="RUSTY_V8_MIRROR ($RUSTY_V8_MIRROR)"
    check_archive "$url"
  elif reachable "$url"; then
    source="the download of the crate v8 ($url)"
    [ -z "${RUSTY_V8_SHA256:-}" ] || download_v8 "$url"
  else
    source="$url cannot be reached (RUSTY_V8_ARCHIVE=FILE or \`make v8\` would bring V8)"
    return 1
  fi
}

# Sets `engine` to v8 or quickjs by $ENGINE (v8, quickjs or auto), and says which
# and why in one line.
choose_engine() {
  local source
  case ${ENGINE:-auto} in
  v8 | V8)
    find_v8 || fail "ENGINE=v8, but $source"
    engine=v8
    say "engine: V8, from $source"
    ;;
  quickjs | QuickJS)
    engine=quickjs
    say "engine: QuickJS, as asked"
    ;;
  auto)
    if find_v8; then
      engine=v8
      say "engine: V8, from $source"
    else
      engine=quickjs
      say "engine: QuickJS, because $source"
    fi
    ;;
  *) fail "ENGINE is v8, quickjs or auto, not '$ENGINE'" ;;
  esac
}
