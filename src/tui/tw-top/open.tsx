import { render } from 'ink'
import type { Client } from '../../cli/client.ts'
import { execBeside } from '../../cli/exec-beside.ts'
import { followFleet } from '../../cli/follow/fleet.ts'
import { followLogs } from '../../cli/follow/logs.ts'
import { renderExplain, renderTask, type Explained } from '../../cli/render/tw-tasks.ts'
import type { View } from '../../cli/terminal.ts'
import type { NodeView, TaskView } from '../../core/tw/queries.ts'
import type { Opened, Target } from './panes.ts'
import { TwTopScreen, type TopSource } from './screen.tsx'

/** Rows of one list that is opened; more are not read by anybody, and the filter finds the rest. */
const ROWS_MAX = 1000

/** Shows the fleet on the terminal's other screen until it is left. Rejects when it was never reached. */
export async function openTwTop(options: { client: Client; context: string; view: View; signal: AbortSignal }): Promise<void> {
  const { client, context, view } = options
  const end = new AbortController()
  const signal = AbortSignal.any([options.signal, end.signal])
  let failure: unknown = null
  let isLeft = false
  let wanted = ''
  let again = (): void => undefined
  const source: TopSource = {
    context,
    clock: Date.now,
    filter: (text) => {
      wanted = text
      again()
    },
    follow: (onNews) => {
      const stop = new AbortController()
      const both = AbortSignal.any([signal, stop.signal])
      void (async () => {
        try {
          const wish = () => ({ filter: wanted })
          for await (const news of followFleet(client, wish, both, (now) => (again = now))) onNews(news)
        } catch (error) {
          failure = error
          isLeft = true
          app.unmount()
        }
      })()
      return () => stop.abort()
    },
    open: (target) => openTarget(client, view, target),
    explain: async (target) => renderExplain(view, (await client.call<Explained>('tw.explain', { target })).data),
    shell: (task) => execBeside(client, task, []),
    logs: (target, onLine) => {
      const stop = new AbortController()
      void followLogs(client, { target, lines: 100, isFollowed: true }, AbortSignal.any([signal, stop.signal]), (line) =>
        onLine(`${line.task} ${line.line}`),
      ).catch((error: Error) => onLine(`✖ ${error.message}`))
      return () => stop.abort()
    },
  }
  const onQuit = (): void => {
    isLeft = true
    app.unmount()
  }
  const app = render(<TwTopScreen source={source} hasColor={view.hasColor} onQuit={onQuit} />, {
    alternateScreen: true,
    exitOnCtrlC: true,
    patchConsole: false,
  })
  options.signal.addEventListener('abort', () => app.unmount(), { once: true })
  await app.waitUntilExit()
  end.abort()
  if (failure !== null) throw failure
  // Ctrl-C is a key to a screen, not a signal; to a script around it, it is the same.
  if (!isLeft) process.exitCode ??= 130
}

async function openTarget(client: Client, view: View, target: Target): Promise<Opened> {
  switch (target.kind) {
    case 'job': {
      const { data } = await client.call<{ tasks: TaskView[]; nowMs: number }>('tw.ps', { job: target.job, limit: ROWS_MAX })
      return { kind: 'tasks', title: target.job, tasks: data.tasks, nowMs: data.nowMs }
    }
    case 'rack': {
      const { data } = await client.call<NodeView[]>('tw.node.list', { region: target.region, rack: target.rack, limit: ROWS_MAX })
      return { kind: 'nodes', title: `${target.region}/${target.rack}`, nodes: data }
    }
    case 'node': {
      const { data } = await client.call<{ tasks: TaskView[]; nowMs: number }>('tw.ps', { node: target.node, limit: ROWS_MAX })
      return { kind: 'tasks', title: `node ${target.node}`, tasks: data.tasks, nowMs: data.nowMs }
    }
    case 'task': {
      const { data } = await client.call<Parameters<typeof renderTask>[1]>('tw.task.show', { task: String(target.id) })
      return { kind: 'text', title: target.task, text: renderTask(view, data) }
    }
  }
}
