# Configures packages whose files are unpacked already, as dpkg does when it installs them: each batch's preinst scripts,
# then dpkg for the batch. Calls of `preinst` and `configure` follow.
set -eu
umask 022
cd /
admin=/var/lib/dpkg

# invoke-rc.d asks this before it starts a service.
policy=/usr/sbin/policy-rc.d
if [ -d /usr/sbin ] && [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' > "$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi

# preinst PACKAGE INFO-NAME ARCHITECTURE VERSION: runs it where dpkg would, so that debconf finds the package's questions.
preinst() {
	ci=$admin/tmp.ci
	rm -rf "$ci"
	mkdir "$ci"
	for kind in preinst config templates conffiles md5sums shlibs symbols triggers; do
		if [ -e "$admin/info/$2.$kind" ]; then
			cp -p "$admin/info/$2.$kind" "$ci/$kind"
		fi
	done
	printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$1" "$4" "$3" > "$ci/control"
	status=0
	DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE=$1 DPKG_MAINTSCRIPT_ARCH=$3 \
		DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_ADMINDIR=$admin DPKG_ROOT= \
		"$ci/preinst" install || status=$?
	rm -rf "$ci"
	if [ "$status" != 0 ]; then
		echo "the preinst script of $1 exited with $status" >&2
		exit "$status"
	fi
}

configure() {
	dpkg --force-unsafe-io --configure "$@"
}

