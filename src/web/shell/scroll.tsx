import type { ComponentChildren, JSX } from 'preact'

/** What may be wider than the page, or taller than its share of it: a region of its own that keys scroll. */
export function Scroll({
  label,
  kind = '',
  children,
}: {
  label: string
  kind?: 'low' | 'rows' | ''
  children: ComponentChildren
}): JSX.Element {
  return (
    <div class={kind === '' ? 'scroll' : `scroll ${kind}`} role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  )
}
