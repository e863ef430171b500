//! Where the fields of a `.tflite` file lie, so that a test can change what they mean and leave the file whole.
//!
//! Only offsets are followed, by the slots of TensorFlow's `schema.fbs`; whatever lies outside of the file is left out.

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The code of an operator, as i32.
    Code,
    /// The code of an operator as old files have it, one byte.
    OldCode,
    /// The version of an operator, i32.
    Version,
    /// The index of an operator's code, u32.
    CodeIndex,
    /// The index of a tensor, i32; −1 for none.
    TensorIndex,
    /// A length of a shape, i32.
    Length,
    /// A type of elements, one byte.
    Type,
    /// The index of a buffer, u32.
    BufferIndex,
    /// A scale, f32.
    Scale,
    /// A zero point, i64.
    ZeroPoint,
    /// Four bytes of an operator's options: a number of i32, an f32, or up to four bytes.
    Option,
    /// The kind of an operator's options, one byte.
    OptionKind,
    /// Four bytes of a constant.
    Constant,
}

/// The bytes of a file as tables.
struct Tables<'a>(&'a [u8]);

impl Tables<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    fn u32(&self, at: usize) -> Option<usize> {
        Some(u32::from_le_bytes(self.bytes(at)?) as usize)
    }

    /// What the offset at this place points to.
    fn follow(&self, at: usize) -> Option<usize> {
        at.checked_add(self.u32(at)?).filter(|&to| to < self.0.len())
    }

    /// The places of a table's fields by slot; `None` for absent ones.
    fn fields(&self, table: usize) -> Option<Vec<Option<usize>>> {
        let vtable = usize::try_from(table as i64 - i64::from(i32::from_le_bytes(self.bytes(table)?))).ok()?;
        let size = usize::from(u16::from_le_bytes(self.bytes(vtable)?));
        let place = |slot: usize| {
            let offset = usize::from(u16::from_le_bytes(self.bytes(vtable + slot)?));
            (offset > 0).then_some(table + offset)
        };
        Some((4..size).step_by(2).map(place).collect())
    }

    /// The places of a vector's elements of this width.
    fn elements(&self, vector: Option<usize>, width: usize) -> Vec<usize> {
        let found = vector.and_then(|at| Some((at, self.u32(at)?)));
        let (at, length) = found.unwrap_or((0, 0));
        (0..length.min(self.0.len() / width)).map(|index| at + 4 + index * width).collect()
    }

    /// The tables of a vector of tables.
    fn tables(&self, vector: Option<usize>) -> Vec<usize> {
        self.elements(vector, 4).into_iter().filter_map(|at| self.follow(at)).collect()
    }
}

/// All fields of the file that [`Kind`] names, each with its place.
pub fn fields(file: &[u8]) -> Vec<(Kind, usize)> {
    let tables = Tables(file);
    let mut found = Vec::new();
    let slots = |table: Option<usize>| table.and_then(|table| tables.fields(table)).unwrap_or_default();
    let slot = |fields: &[Option<usize>], index: usize| fields.get(index).copied().flatten();
    let vector = |fields: &[Option<usize>], index: usize| slot(fields, index).and_then(|at| tables.follow(at));
    let model = slots(tables.follow(0));
    for code in tables.tables(vector(&model, 1)) {
        let fields = slots(Some(code));
        for (index, kind) in [(0, Kind::OldCode), (2, Kind::Version), (3, Kind::Code)] {
            found.extend(slot(&fields, index).map(|at| (kind, at)));
        }
    }
    for subgraph in tables.tables(vector(&model, 2)) {
        let subgraph = slots(Some(subgraph));
        let ends = [1, 2].into_iter().flat_map(|index| tables.elements(vector(&subgraph, index), 4));
        found.extend(ends.map(|at| (Kind::TensorIndex, at)));
        for tensor in tables.tables(vector(&subgraph, 0)) {
            let tensor = slots(Some(tensor));
            found.extend(tables.elements(vector(&tensor, 0), 4).into_iter().map(|at| (Kind::Length, at)));
            found.extend(slot(&tensor, 1).map(|at| (Kind::Type, at)));
            found.extend(slot(&tensor, 2).map(|at| (Kind::BufferIndex, at)));
            let quantisation = slots(vector(&tensor, 4));
            found.extend(tables.elements(vector(&quantisation, 2), 4).into_iter().map(|at| (Kind::Scale, at)));
            found.extend(tables.elements(vector(&quantisation, 3), 8).into_iter().map(|at| (Kind::ZeroPoint, at)));
        }
        for operator in tables.tables(vector(&subgraph, 3)) {
            let operator = slots(Some(operator));
            found.extend(slot(&operator, 0).map(|at| (Kind::CodeIndex, at)));
            let operands = [1, 2].into_iter().flat_map(|index| tables.elements(vector(&operator, index), 4));
            found.extend(operands.map(|at| (Kind::TensorIndex, at)));
            found.extend(slot(&operator, 3).map(|at| (Kind::OptionKind, at)));
            found.extend(slots(vector(&operator, 4)).into_iter().flatten().map(|at| (Kind::Option, at)));
        }
    }
    for buffer in tables.tables(vector(&model, 4)) {
        let data = tables.elements(vector(&slots(Some(buffer)), 0), 1);
        found.extend(data.into_iter().step_by(4).take(16).map(|at| (Kind::Constant, at)));
    }
    // The widest field has eight bytes.
    found.retain(|&(_, at)| at.checked_add(8).is_some_and(|end| end <= file.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use smolnn_testkit::golden;

    #[test]
    fn a_quantised_model_has_fields_of_every_kind() {
        let path = golden::project().join("tests/data/digits/digits.tflite");
        let file = std::fs::read(path).expect("the model can be read");
        let fields = fields(&file);
        for kind in [
            Kind::Code,
            Kind::OldCode,
            Kind::CodeIndex,
            Kind::TensorIndex,
            Kind::Length,
            Kind::Type,
            Kind::BufferIndex,
            Kind::Scale,
            Kind::ZeroPoint,
            Kind::Option,
            Kind::OptionKind,
            Kind::Constant,
        ] {
            assert!(fields.iter().any(|&(found, _)| found == kind), "no field of {kind:?}");
        }
        let scales = fields.iter().filter(|&&(kind, _)| kind == Kind::Scale);
        for &(_, at) in scales {
            let scale = f32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
            assert!((1e-7..10.0).contains(&scale), "{scale} at {at} is no scale");
        }
    }
}
