import { MusterCommand } from '../../cli/command.ts'
import { connectView, renderConnect } from '../../cli/render/scuba-connect.ts'
import type { FleetStatus } from '../../server/api/status.ts'

export default class ScubaConnect extends MusterCommand {
  static override summary = "Show how psql and other clients of PostgreSQL reach the store's tables."
  static override description =
    "The owner of the context needs no password on this machine. Others log in with a token's name and secret where `muster up --postgres` says."
  static override examples = ['<%= config.bin %> scuba connect', '<%= config.bin %> scuba connect --json']

  async run(): Promise<void> {
    await this.start(ScubaConnect)
    const { dirname } = await import('node:path')
    const { PG_SOCKET_PORT } = await import('../../server/scuba/leaf/pg/socket.ts')
    const { data } = await this.client.get<FleetStatus>('/v1/status')
    await this.answer('scuba.connect', connectView(dirname(data.scuba.socket), PG_SOCKET_PORT, data.server.postgres), renderConnect)
  }
}
