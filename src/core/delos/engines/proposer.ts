/**
 * What a server's batches are told apart by: its number in the cluster, and what it drew at its start. Above 2^52, as servers of an
 * older program drew theirs below 2^47 and said nothing of themselves.
 */
const BASE = 2 ** 52
/** What is drawn is below it, so that it never reaches into the number of the server. */
export const PROPOSER_DRAWN = 2 ** 40

export function proposerOf(server: number, drawn: number): number {
  return BASE + server * PROPOSER_DRAWN + drawn
}

/** The number of the server that proposed a batch; null: it did not say. */
export function serverOfProposer(proposer: number): number | null {
  return proposer < BASE ? null : Math.floor((proposer - BASE) / PROPOSER_DRAWN)
}
