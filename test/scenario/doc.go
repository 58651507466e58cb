// Package scenario is the top rung of the tests: lmkd and a hog in a guest with
// little memory, under real pressure. Its tests run in the guest (make vm), and
// each ends with a replay of what the daemon recorded.
package scenario
