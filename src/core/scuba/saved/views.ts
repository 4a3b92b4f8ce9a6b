/** How an answer is shown. Apart from the schema, so that a page has it without zod. */
export const VIEWS = ['lines', 'heat', 'number', 'table'] as const
export type View = (typeof VIEWS)[number]
