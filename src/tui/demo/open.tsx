import { render } from 'ink'
import type { DemoView } from '../../cli/demo/report.ts'
import { DemoScreen } from './screen.tsx'

/** Draws the demo on the terminal until `close`; the last frame stays. Ctrl-C is the caller's to handle. */
export function openDemoScreen(): { show: (view: DemoView) => void; close: () => void } {
  let app: ReturnType<typeof render> | null = null
  return {
    show: (view) => {
      const screen = <DemoScreen view={structuredClone(view)} />
      if (app) app.rerender(screen)
      else app = render(screen, { exitOnCtrlC: false, patchConsole: false })
    },
    close: () => app?.unmount(),
  }
}
