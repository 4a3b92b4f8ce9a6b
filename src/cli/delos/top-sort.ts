/** By what `delos top` puts servers in order. */
export const SORTS = ['name', 'appends', 'commit', 'sync', 'lag'] as const
export type Sort = (typeof SORTS)[number]
