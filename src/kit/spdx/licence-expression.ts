/** What data bases of packages say of licences: an SPDX expression (SPDX 2.3, annex D) in the newer ones, any words in others. Pure. */
import { spdxLicence } from './licences.ts';

/** Of https://spdx.org/licenses/ those that distributions' packages have. */
const IDS =
  `0BSD AFL-2.1 AFL-3.0 Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-1.0-Perl Artistic-2.0 Beerware BlueOak-1.0.0
Bitstream-Vera BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSD-4-Clause-UC
BSD-Source-Code BSL-1.0 bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-PDDC CC0-1.0 CDDL-1.0 CDDL-1.1 CPL-1.0
curl ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.2 FSFAP FSFUL FSFULLR FSFULLRWD FTL GD GPL-1.0-only GPL-1.0-or-later HPND
HPND-sell-variant ICU IJG ImageMagick ISC JSON Libpng libpng-2.0 libtiff LPPL-1.3c MIT MIT-0 MIT-CMU MIT-Modern-Variant
MPL-1.0 MPL-1.1 MPL-2.0 MPL-2.0-no-copyleft-exception MS-PL NCSA Net-SNMP NTP OFL-1.1 OLDAP-2.8 OpenSSL PHP-3.01
PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1 QPL-1.0 Rdisc Ruby SGI-B-2.0 Sleepycat SMLNJ SSH-OpenSSH SSH-short Sudo
TCL TCP-wrappers TMate TU-Berlin-1.0 Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11
X11-distribute-modifications-variant Xfig XFree86-1.1 xlock Zlib zlib-acknowledgement ZPL-2.1
Autoconf-exception-2.0 Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0 cryptsetup-OpenSSL-exception
Font-exception-2.0 GCC-exception-2.0 GCC-exception-3.1 GPL-3.0-linking-exception GStreamer-exception-2008
LGPL-3.0-linking-exception Libtool-exception Linux-syscall-note LLVM-exception mif-exception OCaml-LGPL-linking-exception
openvpn-openssl-exception Qt-GPL-exception-1.0 Qt-LGPL-exception-1.1 Texinfo-exception UBDL-exception u-boot-exception-2.0
Universal-FOSS-exception-1.0 WxWindows-exception-3.1 x11vnc-openssl-exception`.split(/\s+/);
const KNOWN: ReadonlyMap<string, string> = new Map(IDS.map((id) => [id.toLowerCase(), id]));
const GNU = /^(?:A?GPL|LGPL|GFDL)-\d\.\d(?:-(?:no-)?invariants)?-(?:only|or-later)$/;

/** Longer ones are no expression: the longest of Fedora's have some sixty names. */
const WORDS_LIMIT = 500;

/**
 * What a data base says, as an SPDX expression; words that make none are one licence of that name.
 * @param refOf gives the id of a licence that SPDX has no name for
 */
export function licenceExpression(text: string, refOf: (name: string) => string): string {
  const said = text.trim().replaceAll(/\s+/g, ' ');
  const words = expressionWords(said);
  if (words === undefined) return refOf(said);
  const shown = words.map((word) => (OPERATOR.test(word) ? word : (knownName(word) ?? refOf(word))));
  return shown.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
}

const OPERATOR = /^(?:[()]|AND|OR|WITH)$/;

/** Undefined when they stand not as in an expression. */
function expressionWords(said: string): readonly string[] | undefined {
  const words = said.match(/[()]|[^\s()]+/g) ?? [];
  if (words.length > WORDS_LIMIT) return undefined;
  let [depth, wantsName] = [0, true];
  for (const [i, word] of words.entries()) {
    const before = words[i - 1];
    if (!OPERATOR.test(word)) {
      // SPDX 2.3 has no names of one's own for exceptions.
      if (!wantsName || (before === 'WITH' && knownName(word) === undefined)) return undefined;
      wantsName = false;
    } else if (word === '(') {
      if (!wantsName || before === 'WITH') return undefined;
      depth++;
    } else {
      if (wantsName) return undefined;
      if (word === ')' && --depth < 0) return undefined;
      // Of a licence, and of one alone.
      if (word === 'WITH' && (before === ')' || words[i - 2] === 'WITH')) return undefined;
      wantsName = word !== ')';
    }
  }
  return wantsName || depth > 0 ? undefined : words;
}

function knownName(word: string): string | undefined {
  return KNOWN.get(word.toLowerCase()) ?? (GNU.test(word) ? word : spdxLicence(word));
}
