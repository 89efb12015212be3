/** The fields of a dead letter's record, for people: whatever their number, where its bytes can be parted at all. */
import { CsvScanner } from "../transforms/csv-scanner.js";

/** Undefined where quotes or encoding are broken, or there is no record. */
export function csvFieldsReader(delimiter: string): (raw: Buffer) => readonly string[] | undefined {
  return (raw) => {
    const options = { delimiter: delimiter.charCodeAt(0), recordBytesMax: raw.length + 1 };
    const scanner = new CsvScanner(options, { byteOffset: 1, line: 1 });
    scanner.push(raw);
    scanner.end();
    if (!scanner.next() || scanner.defect !== undefined) return undefined;
    return Array.from({ length: scanner.fieldCount }, (_, place) => scanner.field(place));
  };
}
