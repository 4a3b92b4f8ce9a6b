import { SqlPage } from '../scuba/sql-page.tsx'
import { show } from '../shell/shell.tsx'

show(<SqlPage />)
