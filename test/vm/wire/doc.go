// Package wire is what host and guest say to each other: a Job, one JSON file
// on the payload disk, and frames over a serial line, which carry the output,
// the result files and the End of the job. It opens nothing by itself.
package wire
