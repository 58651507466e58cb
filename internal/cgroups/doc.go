// Package cgroups finds the cgroups of the unified hierarchy (cgroup v2) that
// patterns name, and tells which come and go.
package cgroups
