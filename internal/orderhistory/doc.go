// Package orderhistory sends everybody the history of their orders as an Excel
// file: it plans who, writes a file for each, puts it where it can be fetched,
// looks whether it can, and opens one campaign through the producer. It is a
// pattern for exports that are behind handout.
//
//	shop's database ──▶ plan ──▶ write ──▶ upload, look ──▶ gate ──▶ links, look ──▶ campaign
//	                     │         │            │                        │               │
//	                     ▼         ▼            ▼                        ▼               ▼
//	                    the state: what was done for which period, in a database of its own
//
// It promises:
//
//   - A run may be killed at any moment and run again. Each customer of the plan
//     then has one file and one message: the plan is fixed at the beginning, the
//     links are stored before the campaign is submitted, and the campaign's ID,
//     which is the period's, makes a second submit of the same list change
//     nothing.
//   - A run that finished is a no-op when it's run again.
//   - Nothing goes out that looks wrong: see Reason. A refused run has sent
//     nothing. Who is set aside is named.
//   - Memory doesn't grow with the number of customers.
//
// A customer's last file, by which the next period is chosen, moves only when
// the campaign stands.
package orderhistory
