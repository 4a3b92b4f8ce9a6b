/** Ends a run: what must never happen did. */
export class Violation extends Error {}
