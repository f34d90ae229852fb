#!/usr/bin/env bash
# Runs a command of this repository on a bare system: a fresh root of a release with git and a shell and nothing else,
# and in it a clean clone of HEAD. Needs root, and debootstrap (installed where missing).
#   tests/bare_root.sh bookworm|trixie|jammy|noble COMMAND [ARGUMENT...]
#   tests/bare_root.sh trixie ./examples/quickstart.sh
# The bare system is made once and kept as OCTAVO_ROOTS/RELEASE.tar (default: /var/tmp/octavo-roots); each run unpacks it
# anew and removes what it unpacked, unless OCTAVO_KEEP_ROOT is set. Exits with 77 where no root can be made: without
# root's rights, where nothing may be mounted, or where the release's mirror is not reached.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
release=$1
shift
roots=${OCTAVO_ROOTS:-/var/tmp/octavo-roots}
mkdir -p "$roots"

case $release in
  bookworm | trixie) mirror=http://deb.debian.org/debian components=main ;;
  jammy | noble) mirror=http://archive.ubuntu.com/ubuntu components=main,universe ;;
  *) echo "bare_root: unknown release $release: bookworm, trixie, jammy or noble" >&2; exit 2 ;;
esac

cannot() { echo "bare_root: no bare $release here: $*" >&2; exit 77; }
[ "$(id -u)" -eq 0 ] || cannot "root's rights are needed"
probe=$(mktemp -d "$roots/probe.XXXXXX")
mount -t proc proc "$probe" 2>/dev/null || { rmdir "$probe"; cannot "nothing may be mounted"; }
umount "$probe" && rmdir "$probe"

if [ ! -f "$roots/$release.tar" ]; then
  source "$here/examples/setup.sh"
  octavo_install debootstrap
  making=$(mktemp -d "$roots/making.XXXXXX")
  debootstrap --variant=minbase --components="$components" --include=git,ca-certificates "$release" "$making" "$mirror" >&2 ||
    { rm -rf --one-file-system "$making"; cannot "debootstrap failed"; }
  rm -f "$making"/var/cache/apt/archives/*.deb
  tar -C "$making" -cf "$roots/$release.tar.new" .
  mv "$roots/$release.tar.new" "$roots/$release.tar"
  rm -rf "$making"
fi

root=$(mktemp -d "$roots/$release.XXXXXX")
leave() {
  umount "$root/dev/pts" "$root/proc" 2>/dev/null || true
  [ -n "${OCTAVO_KEEP_ROOT:-}" ] && echo "kept: $root" >&2 || rm -rf --one-file-system "$root"
}
trap leave EXIT
tar -C "$root" -xf "$roots/$release.tar"
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/pts"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666,mode=0620
ln -sf pts/ptmx "$root/dev/ptmx"
cp /etc/resolv.conf "$root/etc/resolv.conf"
git clone -q --no-hardlinks "$here" "$root/octavo"
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
  ${CC:+CC="$CC"} ${CXX:+CXX="$CXX"} http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
  chroot "$root" /bin/bash -c 'cd /octavo && exec "$@"' bash "$@"
