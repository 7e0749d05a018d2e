#!/bin/sh
# Pins the images that ours is built on and runs beside: writes name:tag@sha256:... for
# name:tag in every Dockerfile, YAML file and template of the chart, with the digest that
# the registry has for the tag now (that of all platforms together, where there are
# several), and refreshes the digests that stand there. If one image can't be resolved,
# no file is changed. Each file is replaced as a whole; after an interruption run it again.
#
#   sh deploy/pin-images.sh           make pin-images
#   sh deploy/pin-images.sh check     make pin-images CHECK=1: changes nothing, and fails
#                                     if an image is unpinned or its tag has moved on
#   sh deploy/pin-images.sh pinned    fails if an image is unpinned, and asks no registry
#
# REGISTRY_MIRROR=host[:port][/path] is asked in place of the images' own registries.
set -eu
cd "$(dirname "$0")/.."

# crane speaks to registries as docker does, with anonymous tokens or those of docker
# login. It is run at a pinned version, and stays out of go.mod: no program of ours needs it.
crane="go run github.com/google/go-containerregistry/cmd/crane@v0.22.1"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$1" >&2
	exit 1
}

mode=${1:-pin}
case $mode in
pin | check | pinned) ;;
*) fail "pin-images.sh has no mode $mode: it has check and pinned" ;;
esac

# Lines FILE LINE IMAGE, without our own image, and without the stages of a Dockerfile.
find . \( -name .git -o -name bin -o -name testdata \) -prune -o -type f \
	\( -name '*Dockerfile*' -o -name '*.yml' -o -name '*.yaml' -o -name '*.tpl' \) -print | sed 's|^\./||' | sort | while read -r file; do
	awk '
	function found(image) {
		gsub(/["'\'']/, "", image)
		if (image == "" || image == "scratch" || tolower(image) in stages || image ~ /^[0-9]+$/) return
		if (image ~ /^\{\{/) return # a template of the chart: values.yaml has the image
		if (image == "${IMAGE:-handout}" || image ~ /^ghcr\.io\/handout-dev\/handout[:@]/) return # ours
		print FILENAME, FNR, image
	}
	FILENAME ~ /Dockerfile/ {
		word = toupper($1)
		if (tolower($0) ~ /^#[ \t]*syntax[ \t]*=/) {
			sub(/^[^=]*=/, "")
			found($1)
		} else if (word == "FROM") {
			for (i = 2; $i ~ /^--/; i++);
			found($i)
			if (toupper($(i + 1)) == "AS") stages[tolower($(i + 2))]
		} else if (word == "COPY" || word == "RUN" || word ~ /^--/) {
			for (i = (word ~ /^--/) ? 1 : 2; $i ~ /^--/; i++)
				if (sub(/^--(mount=(.*,)?)?from=/, "", $i)) {
					sub(/,.*/, "", $i)
					found($i)
					$i = "--"
				}
		}
		next
	}
	match($0, /^([^#]*[ \t{,"'\''-])?image["'\'']?:[ \t]+/) {
		image = substr($0, RLENGTH + 1)
		sub(/(^|[ \t]+)#.*/, "", image)
		if (image ~ /^\{[^{]/) next # a repository and a tag: those of our own image in the chart
		if (image !~ /^["'\'']?(\{\{|\$\{)/) sub(/[ \t,}].*/, "", image)
		found(image)
	}' "$file"
done >"$work/found"

odd=$(grep -vE ' [a-z0-9][a-z0-9._/-]*(:[0-9]+/[a-z0-9._/-]+)?:[A-Za-z0-9_][A-Za-z0-9._-]*(@sha256:[0-9a-f]{64})?$' "$work/found" || true)
[ -z "$odd" ] || fail "$(echo "$odd" | sed -E 's/^([^ ]*) ([^ ]*) (.*)/\1:\2: \3 names no tag: write name:tag, which can be pinned/')"

if [ "$mode" = pinned ]; then
	unpinned=$(grep -v '@' "$work/found" | sed -E 's/^([^ ]*) ([^ ]*) (.*)/\1:\2: \3 is unpinned/')
	[ -z "$unpinned" ] || fail "$unpinned
Run make pin-images, and commit what it changes."
	exit
fi

# What crane is asked for: the image, or where the mirror has it.
address() {
	path=$1
	case $1 in */*) ;; *) path=library/$1 ;; esac # Docker Hub's own
	case ${path%%/*} in *.* | *:* | localhost) path=${path#*/} ;; esac
	if [ -n "${REGISTRY_MIRROR:-}" ]; then echo "$REGISTRY_MIRROR/$path"; else echo "$1"; fi
}

# Lines IMAGE DIGEST. Each is asked for once, so that all files get the same.
failed=
for image in $(cut -d ' ' -f 3 "$work/found" | sed 's/@.*//' | sort -u); do
	if digest=$($crane digest "$(address "$image")" 2>"$work/errors"); then
		echo "$image $digest" >>"$work/digests"
	else
		failed=yes
		why=$(sed -n 's/^Error: //p' "$work/errors")
		echo "$image: ${why:-$(cat "$work/errors")}" >&2
	fi
done
[ -z "$failed" ] || fail "Nothing was changed. If a registry can't be reached from here, set HTTPS_PROXY, or
REGISTRY_MIRROR to a registry that has all of these images; if it asks for a login or
limits requests, run docker login."

# Lines FILE LINE OLD NEW.
: >"$work/changes"
while read -r file line old; do
	image=${old%@*}
	new=$image@$(awk -v image="$image" '$1 == image { print $2 }' "$work/digests")
	case $old in
	"$new") echo "$file:$line: $image is still ${new#*@}" ;;
	*@*) echo "$file:$line: $image ${old#*@} -> ${new#*@}" ;;
	*) echo "$file:$line: $image unpinned -> ${new#*@}" ;;
	esac
	[ "$old" = "$new" ] || echo "$file $line $old $new" >>"$work/changes"
done <"$work/found"
[ -s "$work/changes" ] || exit 0
[ "$mode" = pin ] || fail "Images are unpinned, or their tags have moved on: run make pin-images, and commit what it changes."

for file in $(cut -d ' ' -f 1 "$work/changes" | uniq); do
	awk -v file="$file" '$1 == file { gsub(/\./, "\\.", $3); print $2 "s|" $3 "|" $4 "|" }' "$work/changes" >"$work/edit"
	new=$(dirname "$file")/.pin-images
	cp -p "$file" "$new" # for its mode
	sed -f "$work/edit" "$file" >"$new"
	mv "$new" "$file"
done
