#!/usr/bin/env bash
# Puts the caskmcp binary on the PATH of the steps that follow.
#
#   CASKMCP_INSTALL  release: download and verify a released binary
#                    source:  build this very revision (needs Go)
#                    none:    caskmcp is on the PATH already
#                    empty:   release where checksums.txt has one, else source
#   CASKMCP_VERSION  which release; the one in checksums.txt by default
#   CASKMCP_RELEASES where releases are; for mirrors and tests
#
# checksums.txt beside this script has the SHA-256 of every release archive.
# It is part of the action's revision, so pinning the action pins the binary:
# what was downloaded is compared with it before anything of it is unpacked.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sums=$here/checksums.txt
mode=${CASKMCP_INSTALL:-}
version=${CASKMCP_VERSION:-}
version=${version#v}
releases=${CASKMCP_RELEASES:-https://github.com/tomallicino/caskmcp/releases/download}

fail() {
  printf 'caskmcp: error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'caskmcp: hint: %s\n' "$2" >&2
  exit 1
}

# entries: "SHA256  NAME" lines, without comments.
entries() { [ ! -f "$sums" ] || grep -E '^[0-9a-f]{64}  caskmcp_' "$sums" || true; }

platform() {
  local os arch
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    MINGW* | MSYS* | CYGWIN*) os=windows ;;
    *) fail "no release for $(uname -s)" "set install: source" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "no release for $(uname -m)" "set install: source" ;;
  esac
  printf '%s_%s' "$os" "$arch"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

release() {
  local target name want got work extension=tar.gz
  target=$(platform)
  case $target in windows_*) extension=zip ;; esac
  [ -n "$version" ] || version=$(entries | sed -n 's/^[0-9a-f]*  caskmcp_\([0-9][^_]*\)_.*/\1/p' | tail -1)
  [ -n "$version" ] || fail "this revision of the action has no release" "set install: source, or use a released revision of the action"
  name=caskmcp_${version}_$target.$extension
  want=$(entries | awk -v name="$name" '$2 == name {print $1}')
  [ -n "$want" ] || fail "checksums.txt of this revision of the action has no $name" "use the revision of the action that was released with $version, or set install: source"
  work=$(mktemp -d)
  curl --fail --silent --show-error --location --retry 3 --proto '=https,http' --max-time 120 \
    --output "$work/$name" "$releases/v$version/$name" || fail "downloading $name from $releases"
  got=$(sha256 "$work/$name")
  if [ "$got" != "$want" ]; then
    rm -rf "$work"
    fail "$name is not what was released: its SHA-256 is $got, not $want" "do not use it; report it at https://github.com/tomallicino/caskmcp/issues"
  fi
  case $extension in
    zip) unzip -q -o "$work/$name" caskmcp.exe -d "$bin" ;;
    *) tar -xzf "$work/$name" -C "$bin" caskmcp ;;
  esac
  rm -rf "$work"
}

source_build() {
  command -v go >/dev/null || fail "building caskmcp needs Go" "add actions/setup-go before this step, or set install: release"
  (cd "$here/../../.." && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$bin/" ./cmd/caskmcp)
}

if [ -z "$mode" ]; then
  mode=source
  [ -z "$(entries)" ] || mode=release
fi
bin=${RUNNER_TEMP:?RUNNER_TEMP is not set}/caskmcp-bin
case $mode in
  release) mkdir -p "$bin" && release ;;
  source) mkdir -p "$bin" && source_build ;;
  none)
    command -v caskmcp >/dev/null || fail "caskmcp is not on the PATH" "set install: release or source"
    exit 0
    ;;
  *) fail "install is '$mode', want release, source or none" ;;
esac
printf '%s\n' "$bin" >>"${GITHUB_PATH:?GITHUB_PATH is not set}"
