import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageFolder } from '../harness/paths'

interface Resvg {
  readonly Resvg: new (svg: string, options: object) => { render(): { asPng(): Buffer } }
}

/** The picture at twice its size, or undefined where @resvg/resvg-js has no binary for this system. */
export function toPng(svg: string): Buffer | undefined {
  try {
    const { Resvg } = createRequire(join(packageFolder, 'package.json'))('@resvg/resvg-js') as Resvg
    const options = { fitTo: { mode: 'zoom', value: 2 }, font: { defaultFontFamily: 'DejaVu Sans' } }
    return new Resvg(svg, options).render().asPng()
  } catch {
    return undefined
  }
}
