#!/bin/sh
# Fetches the stock Debian 12 i386 kernel and a static busybox, and makes of them what the Linux example boots:
# build/vmlinuz, build/vmlinux, build/initramfs.cpio and build/SHA256SUMS.
#
# Nothing is installed and no root is needed: apt works over a state folder of its own, for the i386 architecture,
# with the Debian archive's own keys. Needs apt, dpkg-deb, xz and Node with the packages of `npm ci`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$here/build
state=$build/apt

for tool in apt-get apt-cache dpkg-deb xz npx; do
  command -v "$tool" >/dev/null || { echo "fetch.sh: '$tool' is missing (Debian packages: apt, dpkg, xz-utils, nodejs)" >&2; exit 1; }
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || { echo "fetch.sh: $keyring is missing: install debian-archive-keyring" >&2; exit 1; }

mkdir -p "$state/lists/partial" "$state/archives/partial" "$build/packages"
: > "$state/status"
# Point releases only, without the security suite: the guest talks to nobody, and the images stay the same for months.
echo "deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main" > "$state/sources.list"
# The sandbox user of a root apt could not write into a private folder: apt then runs as whoever called.
cat > "$state/apt.conf" <<CONF
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::State::lists "$state/lists";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
CONF
# Through the environment the file is read last, so it also replaces what the host's apt.conf.d says.
export APT_CONFIG="$state/apt.conf"

apt-get -q update

# linux-image-686 is an empty package that depends on the kernel of the day.
kernel=$(apt-cache depends --important linux-image-686 | sed -n 's/^ *Depends: \(linux-image-[0-9].*-686\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || { echo "fetch.sh: linux-image-686 names no kernel package" >&2; exit 1; }
echo "kernel package: $kernel"

(cd "$build/packages" && rm -f ./*.deb && apt-get -q download "$kernel" busybox-static)

rm -rf "$build/kernel" "$build/busybox"
dpkg-deb --extract "$build"/packages/linux-image-*.deb "$build/kernel"
dpkg-deb --extract "$build"/packages/busybox-static_*.deb "$build/busybox"
cp "$build"/kernel/boot/vmlinuz-* "$build/vmlinuz"
# Modules are most of the package and nothing here loads one.
rm -rf "$build/kernel"

cd "$here"
npx tsx vmlinux.ts build/vmlinuz build/vmlinux
npx tsx initramfs.ts build/busybox/bin/busybox build/initramfs.cpio
(cd "$build" && sha256sum vmlinuz vmlinux initramfs.cpio busybox/bin/busybox packages/*.deb | tee SHA256SUMS)
