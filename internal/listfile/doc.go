// Package listfile opens lists as people have them: compressed by gzip or zstd, in
// UTF-8, UTF-16 or Windows-1252, with any line ends, or as an Excel workbook. What
// it gives is text in UTF-8 with lines that end in \n, or a workbook's rows; and what
// it had to find out about the file, to be said to the person whose list it is.
//
// Its memory doesn't depend on the file: what is decompressed has limits, a text or a
// tag that doesn't end is cut off, and a workbook's shared texts go to the disk. No
// error quotes the file.
package listfile
