#!/bin/sh
# Prints what CHANGELOG.md says of a version, without its heading, for the notes of its
# release. A tag is a release only if the latest heading is its version: else one would
# be made whose changes still stand under "Unreleased", or under no name.
#
#   sh deploy/release-notes.sh v0.2.0
set -eu

tag="$1"
changelog="${CHANGELOG:-CHANGELOG.md}"
refuse() {
	echo "$tag: $1" >&2
	exit 1
}

version="${tag#v}"
[ "$version" != "$tag" ] || refuse "a release's tag is v and its version, as in v0.2.0"

headings=$(grep '^## ' "$changelog" | grep -v '^## Unreleased$' | sed -n '1p')
case "$headings" in
"## $version - "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]) ;;
*) refuse "the latest heading of $changelog is \"$headings\": write \"## $version - $(date -u +%F)\" above the changes" ;;
esac

# Between "## Unreleased" and the next heading nothing may be left.
left=$(sed -n '/^## Unreleased$/,/^## [0-9]/p' "$changelog" | grep -v '^## ' | grep . || true)
[ -z "$left" ] || refuse "changes still stand under \"Unreleased\" in $changelog"

notes=$(awk -v heading="## $version - " 'index($0, "## ") == 1 { ours = index($0, heading) == 1; next } ours' "$changelog" | sed '/./,$!d')
[ -n "$notes" ] || refuse "$changelog says nothing of $version"
printf '%s\n' "$notes"
