// Package vmpressure listens to what the memory controller of cgroup v1 says of
// reclaim: low, medium or critical, by how little of what the kernel scans it can
// free (Documentation/admin-guide/cgroup-v1/memory.rst, section 11;
// mm/vmpressure.c). It registers eventfds by cgroup.event_control and never
// changes a cgroup.
package vmpressure
