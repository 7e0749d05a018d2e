// Package orderhistory sends all customers the history of their orders as an Excel
// file: it plans who gets one, writes the files, uploads them, checks that they can
// be fetched, and opens one campaign through the producer. It is a pattern for
// exports with handout behind them.
//
//	shop's database ──▶ plan ──▶ write ──▶ upload, check ──▶ gate ──▶ links, check ──▶ campaign
//	                     │         │            │                         │                │
//	                     ▼         ▼            ▼                         ▼                ▼
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
//   - A run that looks wrong is refused and sends nothing: see Reason. Customers
//     that are set aside are named.
//   - Memory doesn't grow with the number of customers.
//
// A customer's last file, which decides what the next period has for them, moves only
// once the campaign is open.
package orderhistory
