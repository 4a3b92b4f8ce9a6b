import { Box, Text, useInput, useWindowSize } from 'ink'
import { useCallback, useEffect, useReducer, useRef, useState } from 'react'
import type { ReactElement } from 'react'
import { consoleLines, focusOf, type ConsoleUi, type Line, type Panel } from '../../cli/render/sev-console.ts'
import { ACK_UNDO_MS } from '../../core/sev/levels.ts'
import type { ConsoleView } from '../../core/sev/views.ts'

/** What the screen needs of the world; the command gives the client's, a test gives core's. */
export interface ConsoleSource {
  context: string
  load: () => Promise<ConsoleView>
  /** Runs an operation; rejects with the refusal. */
  act: (operation: string, input: Record<string, unknown>) => Promise<{ text: string }>
  /** Calls back after each entry of sev; gives the function that ends it. */
  follow: (onEntry: (entry: { type: string; position: number; body: unknown }) => void) => () => void
  /** this machine's clock, ms */
  clock: () => number
  ring: () => void
}

const REFRESH_MS = 2000
const INK_COLORS = { red: 'red', green: 'green', yellow: 'yellow', blue: 'blue', cyan: 'cyan' } as const

function LineText({ line }: { line: Line }): ReactElement {
  return (
    <Text wrap="truncate">
      {line.map((piece, i) =>
        piece.color === 'bold' ? (
          <Text key={i} bold>
            {piece.text}
          </Text>
        ) : piece.color === 'dim' ? (
          <Text key={i} dimColor>
            {piece.text}
          </Text>
        ) : piece.color === undefined ? (
          <Text key={i}>{piece.text}</Text>
        ) : (
          <Text key={i} color={INK_COLORS[piece.color]}>
            {piece.text}
          </Text>
        ),
      )}
      {line.length === 0 || line.every((piece) => piece.text === '') ? ' ' : ''}
    </Text>
  )
}

interface Ack {
  incident: number
  atMs: number
}

/**
 * The paging console. A refresh changes data, never the focus, the panel or what a key means; acknowledging is one key and can
 * be taken back for 10 s; everything else that changes something shows its plan and command line first.
 */
export function SevConsole({
  source,
  isReadOnly,
  size,
  onQuit,
}: {
  source: ConsoleSource
  isReadOnly: boolean
  /** for tests; else the terminal's */
  size?: { rows: number; columns: number }
  onQuit: () => void
}): ReactElement {
  const terminal = useWindowSize()
  const { rows, columns } = size ?? terminal
  const [data, setData] = useState<ConsoleView | null>(null)
  const [focus, setFocus] = useState<number | null>(null)
  const [panel, setPanel] = useState<Panel>({ kind: 'main' })
  const [notice, setNotice] = useState('')
  const [ack, setAck] = useState<Ack | null>(null)
  const [offlineSinceMs, setOfflineSince] = useState<number | null>(null)
  const [, tick] = useReducer((n: number) => n + 1, 0)
  /** log time less this machine's clock, as of the last answer */
  const skew = useRef(0)
  const seen = useRef(new Set<number>())
  const isFirst = useRef(true)
  const now = source.clock() + skew.current

  const refresh = useCallback(async () => {
    try {
      const next = await source.load()
      skew.current = next.now - source.clock()
      const fresh = next.incidents.filter((row) => !seen.current.has(row.number))
      for (const row of next.incidents) seen.current.add(row.number)
      // The first picture chooses the most urgent; afterwards only a key moves the focus.
      if (isFirst.current || fresh.length === next.incidents.length) setFocus((current) => current ?? next.incidents[0]?.number ?? null)
      if (!isFirst.current && fresh.length > 0) {
        source.ring()
        setNotice(fresh.map((row) => `new: SEV${row.level} #${row.number} ${row.title}`).join(' · '))
      }
      isFirst.current = false
      setOfflineSince(null)
      setData(next)
    } catch {
      // The picture stays and says since when it is old.
      setOfflineSince((since) => since ?? source.clock() + skew.current)
    }
  }, [source])

  useEffect(() => {
    void refresh()
    const poll = setInterval(() => void refresh(), REFRESH_MS)
    const second = setInterval(tick, 1000)
    const unfollow = source.follow((entry) => {
      void refresh()
      if (entry.type !== 'sev.DeliveryIntended' || isReadOnly) return
      const { deliveries } = entry.body as { deliveries: { channel: string }[] }
      for (const [n, delivery] of deliveries.entries()) {
        // Shown on somebody's screen: that is this channel's receipt. A refusal only means that it was cancelled meanwhile.
        if (delivery.channel === 'terminal') source.act('sev.page.receipt', { key: `d${entry.position}-${n}` }).catch(() => undefined)
      }
    })
    return () => {
      clearInterval(poll)
      clearInterval(second)
      unfollow()
    }
  }, [refresh, source, isReadOnly])

  const run = (command: string, operation: string, input: Record<string, unknown>, after?: () => void): void => {
    setNotice(`$ ${command} …`)
    source.act(operation, input).then(
      ({ text }) => {
        setNotice(`$ ${command}  ${text}`)
        after?.()
        void refresh()
      },
      (error: unknown) => setNotice(`$ ${command}  ✖ ${error instanceof Error ? error.message : String(error)}`),
    )
  }

  const row = data === null ? null : focusOf(data, focus)
  const undoUntilMs = ack !== null && ack.incident === row?.number ? ack.atMs + ACK_UNDO_MS : 0

  useInput((input, key) => {
    if (panel.kind === 'note' || panel.kind === 'level') return typeInto(input, key)
    if (key.escape || (input === 'q' && panel.kind !== 'main')) return setPanel({ kind: 'main' })
    if (input === 'q') return onQuit()
    if (input === '?') return setPanel({ kind: 'help' })
    if (panel.kind === 'plan') {
      if (input === 'y' && panel.canRun && !isReadOnly && row) {
        run(panel.command, 'sev.incident.escalate', { incident: row.number })
        setPanel({ kind: 'main' })
      }
      return undefined
    }
    if (key.tab && data) return next(data)
    if (!row || !data) return undefined
    if (input === 't') return setPanel({ kind: 'timeline' })
    if (input === 'd') return setPanel({ kind: 'changed' })
    if (/^[1-4]$/.test(input)) return showPlan(data, Number(input))
    if (isReadOnly) return undefined
    if (input === 'a' && row.state === 'open') {
      return run(`muster sev ack ${row.number}`, 'sev.incident.ack', { incident: row.number }, () =>
        setAck({ incident: row.number, atMs: source.clock() + skew.current }),
      )
    }
    if (input === 'A') return run('muster sev ack --all-mine', 'sev.incident.ack', { isAllMine: true })
    if (input === 'u' && undoUntilMs > now)
      return run(`muster sev ack ${row.number} --undo`, 'sev.incident.unack', { incident: row.number }, () => setAck(null))
    if (input === 'e') {
      return setPanel({
        kind: 'plan',
        title: `escalate #${row.number}`,
        command: `muster sev escalate ${row.number}`,
        canRun: true,
        lines: [
          row.nextStep === null ? 'There is no further step; name somebody with --to.' : `Asks ${row.nextStep} now.`,
          ...(row.state === 'open' ? [] : ['It was acknowledged: it opens again.']),
        ],
      })
    }
    if (input === 'n') return setPanel({ kind: 'note', text: '' })
    if (input === 's') return setPanel({ kind: 'level', text: '' })
    return undefined
  })

  const next = (view: ConsoleView): void => {
    const at = view.incidents.findIndex((candidate) => candidate.number === focus)
    setFocus(view.incidents[(at + 1) % Math.max(1, view.incidents.length)]?.number ?? null)
  }

  const showPlan = (view: ConsoleView, n: number): void => {
    const item = view.details.find((candidate) => candidate.number === row?.number)?.doNext[n - 1]
    if (!item) return
    setPanel({
      kind: 'plan',
      title: item.text,
      lines: ['A number never acts. This command shows what it would change;', 'without --plan it does it.'],
      command: item.command,
      canRun: false,
    })
  }

  const typeInto = (
    input: string,
    key: { return?: boolean; escape?: boolean; backspace?: boolean; delete?: boolean; ctrl?: boolean },
  ): void => {
    if (panel.kind !== 'note' && panel.kind !== 'level') return
    if (key.escape) return setPanel({ kind: 'main' })
    if (key.backspace || key.delete) return setPanel({ ...panel, text: panel.text.slice(0, -1) })
    if (!key.return) {
      if (input !== '' && !key.ctrl) setPanel({ ...panel, text: panel.text + input })
      return
    }
    const text = panel.text.trim()
    setPanel({ kind: 'main' })
    if (!row || text === '') return
    if (panel.kind === 'note') return run(`muster sev note ${row.number} '${text}'`, 'sev.note.add', { incident: row.number, text })
    const level = Number(text.slice(0, 1))
    const why = text.slice(1).trim()
    run(`muster sev level ${row.number} ${level}${why === '' ? '' : ` --why '${why}'`}`, 'sev.incident.level', {
      incident: row.number,
      level,
      why,
    })
  }

  if (data === null) return <Text dimColor>{offlineSinceMs === null ? 'muster sev: looking…' : 'muster sev: no server answers'}</Text>
  const ui: ConsoleUi = { context: source.context, focus, now, panel, notice, undoUntilMs, offlineSinceMs, isReadOnly, rows, columns }
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      {consoleLines(data, ui).map((line, i) => (
        <LineText key={i} line={line} />
      ))}
    </Box>
  )
}
