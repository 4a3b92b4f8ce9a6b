import type { Client } from '../../cli/client.ts'
import { execBeside } from '../../cli/exec-beside.ts'
import { followFleet } from '../../cli/follow/fleet.ts'
import { followLogs } from '../../cli/follow/logs.ts'
import { renderExplain, renderTask, type Explained } from '../../cli/render/tw-tasks.ts'
import type { View } from '../../cli/terminal.ts'
import type { NodeView, TaskView } from '../../core/tw/queries.ts'
import { openFullScreen } from '../full-screen.ts'
import type { Opened, Target } from './panes.ts'
import { TwTopScreen, type TopSource } from './screen.tsx'

/** Rows of one list that is opened; more are not read by anybody, and the filter finds the rest. */
const ROWS_MAX = 1000

/** Shows the fleet until it is left. Rejects when it was never reached. */
export function openTwTop(options: { client: Client; context: string; view: View; signal: AbortSignal }): Promise<void> {
  const { client, context, view } = options
  return openFullScreen(({ signal, follow, quit }) => {
    let wanted = ''
    let again = (): void => undefined
    const source: TopSource = {
      context,
      clock: Date.now,
      filter: (text) => {
        wanted = text
        again()
      },
      follow: (onNews) =>
        follow(
          (until) =>
            followFleet(
              client,
              () => ({ filter: wanted }),
              until,
              (now) => (again = now),
            ),
          onNews,
        ),
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
    return <TwTopScreen source={source} hasColor={view.hasColor} onQuit={quit} />
  }, options.signal)
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
