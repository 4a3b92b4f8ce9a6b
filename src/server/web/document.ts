import type { Assets, PageName } from './assets.ts'

const TITLES: Record<PageName, string> = {
  scuba: 'Explore',
  sql: 'SQL',
  boards: 'Boards',
  slo: 'Service objectives',
  alerts: 'Alerts',
  trace: 'Trace',
  log: 'Log',
  store: 'Store',
}

/** The frame of a page: all of its substance is what its script draws. */
export function pageDocument(page: PageName, { manifest }: Pick<Assets, 'manifest'>): string {
  const head = `<link rel="stylesheet" href="/assets/${manifest.style}">
<link rel="icon" href="/assets/${manifest.icon}">
<script type="module" src="/assets/${manifest.pages[page]}"></script>`
  return html(
    `${TITLES[page]} · Muster`,
    head,
    '<div id="page"><noscript>This page needs JavaScript; <code>muster help</code> names the commands that say the same in a terminal.</noscript></div>',
  )
}

/** Goes on to a page by itself, as a step of this origin: a strict cookie is not sent along a redirect from somewhere else. */
export function goOnDocument(page: PageName, query: string): string {
  const path = escaped(`/${page}${query === '' ? '' : `?${query}`}`)
  return html('Muster', `<meta http-equiv="refresh" content="0;url=${path}">`, `<p><a href="${path}">Go on</a></p>`)
}

/** For people who come without a session. */
export function closedDocument(why: string): string {
  return html(
    'Muster',
    '',
    `<h1>Not open</h1><p>${why}</p><p>Run <code>muster open</code> on the machine of the server: it prints a link for this browser.</p>`,
  )
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')

function html(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>${title}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`
}
