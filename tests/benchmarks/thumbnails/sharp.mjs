// Thumbnails by sharp, one core and no cache: FILE SIDE --loop N prints milliseconds; FILE SIDE OUT writes one. Either
// prints its peak of resident memory last, as `VmHWM`: `maxRSS` keeps that of the process which started this one.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const sharp = createRequire(`${process.env.SHARP_FOLDER}/`)('sharp');
sharp.cache(false);
sharp.concurrency(1);
const [file, side, mode, count] = process.argv.slice(2);
const bytes = fs.readFileSync(file);
const make = () =>
  sharp(bytes).rotate().resize(+side, +side, { fit: 'inside' }).jpeg({ quality: 80 }).toBuffer();
if (mode === '--loop') {
  for (let index = 0; index < +count; index += 1) {
    const start = process.hrtime.bigint();
    await make();
    console.log(Number(process.hrtime.bigint() - start) / 1e6);
  }
} else {
  fs.writeFileSync(mode, await make());
}
console.log(fs.readFileSync('/proc/self/status', 'utf8').match(/^VmHWM:.*$/m)[0]);
