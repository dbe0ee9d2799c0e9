# Sourced: where V8's static library can come from, and the choice of the engine by
# it. The library is some 100 MB, which the crate `v8` downloads. Not every network
# lets it: `auto` then builds QuickJS, which needs only a C compiler.

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

# Sets `source` to where V8's library comes from, or fails with `source` saying
# why there is none.
find_v8() {
  local url kept
  if [ -n "${RUSTY_V8_ARCHIVE:-}" ]; then
    case $RUSTY_V8_ARCHIVE in
    http://* | https://*)
      source="RUSTY_V8_ARCHIVE ($RUSTY_V8_ARCHIVE)"
      reachable "$RUSTY_V8_ARCHIVE" && return
      ;;
    *)
      source="RUSTY_V8_ARCHIVE ($RUSTY_V8_ARCHIVE)"
      if [ -f "$RUSTY_V8_ARCHIVE" ]; then
        RUSTY_V8_ARCHIVE=$(realpath "$RUSTY_V8_ARCHIVE")
        export RUSTY_V8_ARCHIVE
        return
      fi
      ;;
    esac
    fail "there is no $source"
  fi
  case ${V8_FROM_SOURCE:-} in
  "" | 0 | false) ;;
  *)
    source="the crate's own build from source (V8_FROM_SOURCE)"
    return
    ;;
  esac
  url=$(v8_url)
  kept=$target_dir/release/gn_out/obj/librusty_v8
  if [ -f "$kept.a" ] && [ "$(cat "$kept.sum" 2>/dev/null || echo none)" = "$url" ]; then
    source="an earlier download ($kept.a)"
  elif [ -f "$(v8_download_cache)" ]; then
    source="an earlier download or \`make v8\` ($(v8_download_cache))"
  elif [ -n "${RUSTY_V8_MIRROR:-}" ] && [ -f "$url" ]; then
    source="RUSTY_V8_MIRROR ($RUSTY_V8_MIRROR)"
  elif reachable "$url"; then
    source="the download of the crate v8 ($url)"
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
