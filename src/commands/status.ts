import { existsSync } from 'node:fs'
import { MusterCommand } from '../cli/command.ts'
import { renderFleet } from '../cli/render/fleet.ts'
import { MusterError } from '../core/kernel/errors.ts'
import type { FleetStatus } from '../server/api/status.ts'

export default class Status extends MusterCommand {
  static override summary = 'Show the processes of the fleet, whether they are healthy, and where their logs are.'
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --context blue --json']

  async run(): Promise<void> {
    await this.start(Status)
    try {
      const { data } = await this.client.get<FleetStatus>('/v1/status')
      await this.answer('status', data, renderFleet)
    } catch (error) {
      throw error instanceof MusterError && error.code === 'SERVER_DOWN' ? this.explainDown(error) : error
    }
  }

  /** When nobody answers, where to look is the answer. */
  private explainDown(error: MusterError): MusterError {
    const { root, logs } = this.paths
    if (this.client.target.socketPath === undefined) return error
    const hint = existsSync(root)
      ? `Its logs are in ${logs}. Start it with \`muster up\`: the state in ${root} is kept.`
      : 'Start one with `muster up`.'
    return new MusterError('SERVER_DOWN', `context "${this.paths.context}" is down: ${error.message}`, {
      hint,
      details: { state: root, logs },
      cause: error,
    })
  }
}
