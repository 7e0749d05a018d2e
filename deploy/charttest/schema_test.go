package charttest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestValues_WrongOnesAreRefused(t *testing.T) {
	t.Parallel()
	for values, says := range map[string]string{
		`replicas: 2`:                                        "replicas",
		`work: {replica: 2}`:                                 "replica",
		`work: {replicas: two}`:                              "replicas",
		`work: {replicas: -1}`:                               "replicas",
		`work: {autoscaling: {enabled: "yes"}}`:              "enabled",
		`work: {autoscaling: {targetMemory: 80}}`:            "targetMemory",
		`work: {resources: {limit: {cpu: 1}}}`:               "limit",
		`work: {extraEnv: {A: b}}`:                           "extraEnv",
		`image: {tag: 1.2}`:                                  "tag",
		`image: {digest: abc}`:                               "digest",
		`image: {repository: ""}`:                            "repository",
		`image: {pullPolicy: Sometimes}`:                     "pullPolicy",
		`config: {HANDOUT_WORK_ADDR: ":9000"}`:               "HANDOUT_WORK_ADDR",
		`config: {HANDOUT_MASTER_KEY: secret}`:               "HANDOUT_MASTER_KEY",
		`config: {TELESIGN_API_KEY: secret}`:                 "TELESIGN_API_KEY",
		`config: {REDIS_URL: "redis://r"}`:                   "REDIS_URL",
		`config: {RATE: 10}`:                                 "RATE",
		`config: {HANDOUT_RATE: [10]}`:                       "HANDOUT_RATE",
		`config: {HANDOUT_SEND_TIMEOUT: 1m}`:                 "HANDOUT_SEND_TIMEOUT",
		`config: {HANDOUT_PREFIX: "Handout"}`:                "HANDOUT_PREFIX",
		`config: {TELESIGN_URL: rest-ww.telesign.com}`:       "TELESIGN_URL",
		`secret: {values: {TELESIGN_API_KEY: 1}}`:            "TELESIGN_API_KEY",
		`secret: {values: {api-key: a}}`:                     "api-key",
		`secret: {external: {store: {kind: Vault}}}`:         "kind",
		`redis: {maxmemory: 1Gi}`:                            "maxmemory",
		`redis: {persistence: {enabled: false}}`:             "enabled",
		`redis: {persistence: {size: big}}`:                  "size",
		`redis: {urlKeys: {worker: REDIS_URL}}`:              "worker",
		`listen: {ingress: {path: /}}`:                       "path",
		`listen: {ingress: {host: "https://a.example.com"}}`: "host",
		`console: {ingress: {path: "/../"}}`:                 "path",
		`schedule: {files: {"a/b.yaml": ""}}`:                "a/b.yaml",
		`tmpSize: 4`:                                         "tmpSize",
		`networkPolicy: {metricsFrom: all}`:                  "metricsFrom",
		`monitoring: {rules: {labels: {a: 1}}}`:              "labels",
		`serviceAccount: {automount: true}`:                  "automount",
		`nodeSelector: [a]`:                                  "nodeSelector",
	} {
		v := parse(t, least)
		for k, wrong := range parse(t, values) {
			right, ok := v[k].(map[string]any)
			if more, is := wrong.(map[string]any); ok && is {
				maps.Copy(right, more)
			} else {
				v[k] = wrong
			}
		}
		if _, err := templates(chartDir, v); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: %v", values, err)
		}
	}
}

func TestValues_WhatCantStandTogetherIsRefused(t *testing.T) {
	t.Parallel()
	const account = "config: {TELESIGN_CUSTOMER_ID: A}\n"
	for values, says := range map[string]string{
		`secret: {existing: a}`: "config.TELESIGN_CUSTOMER_ID, or HANDOUT_ACCOUNTS, is required",
		account:                 "secret: say one of existing, external.key and values, not none",
		account + `secret: {existing: a, values: {A: b}}`: "not existing and values",
		account + `secret: {external: {key: a}}`:          "secret.external.store.name is required",
		least + `listen: {ingress: {enabled: true}}`:      "listen.ingress.host is required",
		least + `console: {ingress: {enabled: true}}`:     "console.ingress.host is required",
		least + `schedule: {enabled: true}`:               "files must have a schedules.yaml",
	} {
		if _, err := templates(chartDir, parse(t, values)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// reserved are the variables that the chart sets itself.
var reserved = []string{
	"REDIS_URL", "HANDOUT_WORK_ADDR", "HANDOUT_LISTEN_ADDR", "HANDOUT_LISTEN_METRICS_ADDR", "HANDOUT_CONSOLE_ADDR",
	"HANDOUT_CONSOLE_METRICS_ADDR", "HANDOUT_CONSOLE_OPEN", "HANDOUT_CONSOLE_URL", "HANDOUT_SCHEDULE_ADDR", "HANDOUT_SCHEDULES",
}

func TestValues_ConfigTakesEveryVariableThatIsNoSecret(t *testing.T) {
	t.Parallel()
	for _, v := range variables(t) {
		values := parse(t, least)
		value := v.Default
		if value == "" {
			value = "a"
		}
		values["config"].(map[string]any)[v.Name] = value
		_, err := templates(chartDir, values)
		if closed := v.secret() || slices.Contains(reserved, v.Name); (err != nil) != closed {
			t.Errorf("config with %s: %v", v.Name, err)
		}
	}
}
