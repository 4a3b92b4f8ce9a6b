import { render, type ComponentChildren, type JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { get, type ApiError } from '../live/api.ts'
import type { LinkState } from '../live/follow.ts'

/** The pages there are; the server's list is in `src/server/web/assets.ts`. */
const PAGES = [
  { name: 'scuba', title: 'Explore', key: 'e' },
  { name: 'sql', title: 'SQL', key: 'q' },
  { name: 'boards', title: 'Boards', key: 'b' },
  { name: 'slo', title: 'SLOs', key: 'o' },
  { name: 'alerts', title: 'Alerts', key: 'a' },
  { name: 'trace', title: 'Trace', key: 't' },
  { name: 'log', title: 'Log', key: 'l' },
  { name: 'store', title: 'Store', key: 's' },
] as const
export type PageName = (typeof PAGES)[number]['name']

export interface KeyHelp {
  keys: string
  does: string
}

export interface ShellProps {
  page: PageName
  link: LinkState
  error: ApiError | null
  warnings: readonly string[]
  /** keys of this page, beside those of all */
  help: readonly KeyHelp[]
  /** all of the window's width */
  isWide?: boolean
  children: ComponentChildren
}

const COMMON_HELP: readonly KeyHelp[] = [
  { keys: 'g, then', does: PAGES.map(({ key, title }) => `${key} ${title}`).join(', ') },
  { keys: 'Tab', does: 'to the next thing' },
  { keys: '?', does: 'this help; Esc closes it' },
]

/** How long after `g` the key of a page is waited for. */
const GO_MS = 1500

const LINK_WORDS: Record<LinkState, string> = { live: '● live', lost: '▲ reconnecting', over: '✖ session over' }

/** What all pages share: where you are, whether what you see is live, help, and what went wrong. */
export function Shell({ page, link, error, warnings, help, isWide = false, children }: ShellProps): JSX.Element {
  const [context, setContext] = useState('')
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    get<{ context: string }>('/v1/status')
      .then(({ data }) => setContext(data.context))
      .catch(() => setContext(''))
  }, [])
  useEffect(() => {
    let goAt = 0
    const onKey = (event: KeyboardEvent): void => {
      if (isTyping(event)) return
      if (event.key === '?') dialog.current?.showModal()
      const wanted = event.timeStamp - goAt < GO_MS ? PAGES.find(({ key }) => key === event.key) : undefined
      goAt = event.key === 'g' ? event.timeStamp : 0
      if (wanted === undefined) return
      // The second key is ours: the page must not take it for one of its own.
      event.preventDefault()
      event.stopImmediatePropagation()
      if (wanted.name !== page) location.assign(`/${wanted.name}`)
    }
    addEventListener('keydown', onKey, true)
    return () => removeEventListener('keydown', onKey, true)
  }, [page])
  return (
    <>
      <a class="skip" href="#content">
        To the content
      </a>
      <header class="bar">
        <strong class="brand">Muster</strong>
        <nav aria-label="Pages">
          {PAGES.map(({ name, title }) => (
            <a key={name} href={`/${name}`} aria-current={name === page ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span class="context" title="context">
          {context}
        </span>
        <span class={`link ${link}`} role="status">
          {LINK_WORDS[link]}
        </span>
        <button type="button" class="help" aria-label="Help" onClick={() => dialog.current?.showModal()}>
          ?
        </button>
      </header>
      <main id="content" class={isWide ? 'wide' : ''} tabIndex={-1}>
        {error !== null && (
          <p class="notice bad" role="alert">
            ✖ {error.message}. {error.hint}
          </p>
        )}
        {warnings.map((warning) => (
          <p class="notice" key={warning}>
            ▲ {warning}
          </p>
        ))}
        {children}
      </main>
      <dialog ref={dialog} aria-labelledby="help-title">
        <h2 id="help-title">Keys</h2>
        <dl>
          {[...help, ...COMMON_HELP].map(({ keys, does }) => (
            <div key={keys}>
              <dt>{keys}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <p>All here is to look at; what changes something is a command.</p>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </dialog>
    </>
  )
}

/** A key that a field, or the browser, wants for itself. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement
  return event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}

export function show(page: JSX.Element): void {
  const root = document.querySelector('#page')
  if (root !== null) render(page, root)
}
