//! NumPy's `.npy` format, version 1.0, for C-ordered little-endian `float32` matrices
//! (NumPy Enhancement Proposal 1).

use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// Writes the header of a `[rows, columns]` matrix; the values follow, row by row.
pub(crate) fn write_header(out: &mut impl Write, rows: usize, columns: usize) -> io::Result<()> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Magic, length and header together are a multiple of 64, and the header ends in a newline.
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    out.write_all(MAGIC)?;
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())
}

/// Writes values.
pub(crate) fn write_values(out: &mut impl Write, values: &[f32]) -> io::Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    out.write_all(&bytes)
}

/// Reads the header that [`write_header`] or NumPy writes; gives `(rows, columns)`.
pub(crate) fn read_header(input: &mut impl Read) -> Result<(usize, usize), String> {
    let mut magic = [0; 8];
    let mut length = [0; 2];
    let read = |e: io::Error| format!("expected a .npy header: {e}");
    input.read_exact(&mut magic).map_err(read)?;
    if &magic != MAGIC {
        return Err("expected a .npy file of version 1.0".to_owned());
    }
    input.read_exact(&mut length).map_err(read)?;
    let mut header = vec![0; u16::from_le_bytes(length).into()];
    input.read_exact(&mut header).map_err(read)?;
    let header = String::from_utf8_lossy(&header).replace(' ', "");
    if !header.contains("'descr':'<f4'") || !header.contains("'fortran_order':False") {
        return Err(format!("expected a C-ordered float32 matrix, got {}", header.trim()));
    }
    let shape = header.split("'shape':(").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
    let sizes: Vec<usize> = shape.split(',').filter_map(|n| n.parse().ok()).collect();
    match sizes[..] {
        [rows, columns] => Ok((rows, columns)),
        _ => Err(format!("expected a matrix, got shape ({shape})")),
    }
}

/// Reads `count` values.
pub(crate) fn read_values(input: &mut impl Read, count: usize) -> io::Result<Vec<f32>> {
    let mut bytes = vec![0; count * 4];
    input.read_exact(&mut bytes)?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_comes_back_and_the_header_is_aligned() {
        let mut file = Vec::new();
        write_header(&mut file, 2, 3).unwrap();
        assert_eq!(file.len() % 64, 0);
        write_values(&mut file, &[1.0, 2.0, 3.0, -4.0, 5.5, 0.0]).unwrap();
        let mut input = &file[..];
        assert_eq!(read_header(&mut input).unwrap(), (2, 3));
        assert_eq!(read_values(&mut input, 6).unwrap(), [1.0, 2.0, 3.0, -4.0, 5.5, 0.0]);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(read_header(&mut &b"not numpy at all"[..]).is_err());
        let mut f8 = Vec::new();
        write_header(&mut f8, 1, 1).unwrap();
        let text = String::from_utf8_lossy(&f8).replace("<f4", "<f8");
        assert!(read_header(&mut text.as_bytes()).is_err());
    }
}
