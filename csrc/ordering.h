/* ordering.h - every ordered access of the core, by the name of its pair.
 *
 * At each access stands NAME:SIDE. B is a release: what was done before it is seen by
 * who reads the value with A, an acquire. RMW is both in one step. SC is one order of
 * all accesses of that name, for two sides that store first and look then: one of them
 * sees the other. A test holds that no ordered access lacks a name, and no name a side.
 *
 * The record protocol (ring.c; commit, publish, seal, space and wait are told there)
 *   commit:B / next:A       a record is whole before its commit word
 *   publish:B / reserve:A   the leader has read the bytes before they are overwritten
 *   publish:B / publish:A   who asks for the head finds what the leader did before
 *   seal:RMW / reserve:RMW  after the seal nobody reserves
 *   seal:RMW / tail:A       who finds the seal finds the last reservations
 *   space:RMW / wait:A      a producer that waits is woken, or sees the room
 *   wait:RMW / space:A      and the leader sees that one waits
 *   durable:B / durable:A   the disk has what is below the position
 *   drops:B / drops:A       the bytes of drops are counted before their number
 *   drops:RMW / drops:A     likewise, where a counter moves into the control file
 *   stake:B / lock          read by the next leader, whose file lock orders it
 *
 * The control file
 *   used:B / used:A         the table of slots reaches at least so far
 *   slot:B / slot:A         an entry is filled before its state
 *   settings:B / settings:A a block is whole before its version; looked at twice
 *   loss:B / loss:A         bytes of a loss are counted before their number
 *   ask:RMW / ask:A         what was written before a request is there when it is seen
 *   done:B / done:A         what was asked for is done, its error is there
 *   intent:B / intent:A     a batch is described before it is valid
 *   inheritance:B / inheritance:A  likewise what the counters of a dead become
 *   syncing:B / syncing:A   a successor doubts a file whose sync may have failed
 *   lead:B / lead:A         what a leader wrote is there for who finds its name gone
 *   lead:RMW / lead:A       and one of several takes it
 *   keeper:B / keeper:A     a ring is another log's once its slot there is filled
 *   spare:RMW / spare:A     a ring that waits for a child is one process's at a time
 *   unread:B / unread:A     slots are marked before the sum says that some are
 *   wake:B / wake:A         what a sleeper is woken for is there when it has woken
 *
 * One process
 *   open:B / open:A         a spare ring is whole before the list shows it as open
 *   current:B / current:A   a ring is whole before writers find it
 *   past:B / past:A         a generation is as said before it is known to be past
 *   past:RMW / past:A       likewise
 *   users:B / users:A       the last user has left what it used
 *   callers:B / callers:A   likewise a call
 *   over:B / over:A         the thread is done with a past generation
 *   due:B / due:A           why something is due is there for who sees to it
 *   rest:RMW / keeper       a record that both miss the keeper sees (resting.h)
 *   tid:B / tid:A           the thread's number, for who waits until it is gone
 *   stop:B / stop:A         the thread ends when it is asked to
 *   stop:RMW / stop:A       or who asked takes it back
 *   telling:B / telling:RMW one thread at a time tells of drops
 *   looking:B / looking:A   one thread at a time looks for trouble
 *   said:B / said:A         a text of trouble is whole before its number
 *   doubt:B / doubt:A       answers below the ticket are in doubt
 *   synced:B / synced:A     a sync's result is there
 *   chunk:B / chunk:A       a part of the table of mappings is empty before it is found
 *   entry:B / entry:A       a mapping is described before it is in use
 *   told:SC / told:SC       who is to be told of a cut hears of it, or sees it
 *   cut:B / cut:A           the zeros are there before the mapping counts as cut
 *   cutfrom:B / cutfrom:A   likewise the place
 *   replacing:B / replacing:A  one thread at a time puts zeros in place
 *   before:B / before:A     the handler of before is there before ours is
 */
#ifndef AUDITRING_ORDERING_H
#define AUDITRING_ORDERING_H

#endif
