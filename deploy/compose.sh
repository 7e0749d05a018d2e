#!/bin/sh
# docker compose; and where only Compose 1.29 is installed, as Debian 12 has it, the
# same by that: it knows neither `name` in the file nor `up --wait`.
set -eu

if docker compose version >/dev/null 2>&1; then
	exec docker compose "$@"
fi

export COMPOSE_DOCKER_CLI_BUILD=1 DOCKER_BUILDKIT=1 # deploy/Dockerfile mounts caches
file=$(sed '/^name:/d' docker-compose.yml)
old() {
	docker-compose --file /dev/fd/3 --project-directory . --project-name "${COMPOSE_PROJECT_NAME:-handout}" "$@" 3<<END
$file
END
}

wait=
for arg; do
	shift
	if [ "$arg" = --wait ]; then wait=yes; else set -- "$@" "$arg"; fi
done
old "$@"

# Until all are healthy; a container that isn't, or ends, is a failure.
while [ "$wait" ]; do
	wait=
	for id in $(docker ps --all --quiet --filter "label=com.docker.compose.project=${COMPOSE_PROJECT_NAME:-handout}" --filter label=com.docker.compose.oneoff=False); do
		case $(docker inspect --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}' "$id") in
		*" healthy" | "running ") ;;
		*" starting") wait=yes ;;
		*) docker inspect --format '{{.Name}} is {{.State.Status}}, {{with .State.Health}}{{.Status}}{{end}}' "$id" >&2 && exit 1 ;;
		esac
	done
	[ -z "$wait" ] || sleep 1
done
