module github.com/handout-dev/handout/deploy/releasetest

go 1.26.0
