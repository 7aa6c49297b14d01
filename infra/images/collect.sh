#!/usr/bin/env bash
# Makes the root of an image: programs with all that they load, and nothing else.
#
#     collect.sh FOLDER PROGRAM...
#
# Debian's own record of each package that something was taken from is kept in var/lib/dpkg/status.d,
# where scanners look for it.
set -euo pipefail
root=$1
shift
mkdir -p "$root"/{etc/ssl/certs,etc/halfsight,tmp,usr/bin,usr/lib,usr/local/bin,usr/local/lib,var/lib/dpkg/status.d}
mkdir -p "$root"/{usr/sbin,usr/lib64,usr/share,proc,sys,dev,run,home/halfsight}
# As Debian has it: /lib is /usr/lib, and a file has one place.
for folder in bin sbin lib lib64; do ln -sfn "usr/$folder" "$root/$folder"; done
chmod 1777 "$root/tmp"
# Where volumes go; engines give a new one the owner of its place.
mkdir -p "$root"/{output,spool}
chown 10001:10001 "$root"/{output,spool}

libraries=$(for program in "$@"; do ldd "$program"; done | awk '$2 == "=>" {print $3} $1 ~ /^\// {print $1}')
# What sharp and ONNX Runtime load is of these packages, too (librt.so.1 for one).
runtime=$(dpkg -L libc6 libgcc-s1 libstdc++6 | grep -E '/lib[^/]+\.so(\.[0-9.]+)?$' | grep -v /gconv/)

take() {
  local real named
  real=$(realpath "$1")
  install -D -m "$(stat -c %a "$real")" "$real" "$root$real"
  # By the name under which it is loaded, too.
  named=$(realpath "$(dirname "$1")")/$(basename "$1")
  if [ "$named" != "$real" ]; then
    mkdir -p "$root$(dirname "$named")"
    ln -sf "$real" "$root$named"
  fi
  record "$real"
}

record() {
  local package
  package=$({ dpkg -S "$1" || dpkg -S "${1#/usr}"; } 2>/dev/null | head -n 1 | cut -d ' ' -f 1) || return 0
  package=${package%:}
  [ -n "$package" ] || return 0
  dpkg-query -s "$package" > "$root/var/lib/dpkg/status.d/${package%%:*}"
}

for file in "$@" $libraries $runtime; do take "$file"; done
# The loader finds what lies in folders of its own (OpenBLAS and others) by this cache.
cp /etc/ld.so.conf "$root/etc/"
cp -r /etc/ld.so.conf.d "$root/etc/"
ldconfig -r "$root"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
dpkg-query -s ca-certificates > "$root/var/lib/dpkg/status.d/ca-certificates"
dpkg-query -s base-files > "$root/var/lib/dpkg/status.d/base-files"
cp /etc/os-release "$root/etc/os-release"
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/:/sbin/nologin\nhalfsight:x:10001:10001::/home/halfsight:/sbin/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\nhalfsight:x:10001:\n' > "$root/etc/group"
